<html>define('DB_NAME', 'shown');</html>
<?php
defined('DB_NAME') or define('DB_NAME', 'blog');
if (!defined('DB_USER')) define('DB_USER', 'u');
if ( ! defined( 'DB_PASSWORD' ) ) :
	define( 'DB_PASSWORD', 's3cr3t' );
endif;
$host = 'db.example.org';
define('DB_HOST', $host . ':' . 3310);
define('DB_HOST', 'this comes too late');
?>
define('DB_NAME', 'shown, too');
