<?php
/**
 * What this site runs with.  Not define( 'DB_NAME', 'in_a_comment' );
 */

// define('DB_NAME', 'in_another');
# define('DB_NAME', 'in_a_third'); ?> <?php
/* define('DB_NAME', 'in_a_fourth');
 */ define( 'DB_NAME', 'blog_db' );

/** Who reads it */
define( 'DB_USER', 'blog' );
define( "DB_PASSWORD", 'it\'s \\ 50% "s3cr3t" $HOME' );
define( 'DB_HOST', 'localhost' );
define( 'DB_CHARSET', 'utf8mb4' );
define( 'DB_COLLATE', '' );

define( 'AUTH_KEY', 'x{};?]>)(\'"/*//#' );

$table_prefix = 'wp_';

define( 'WP_DEBUG', false );

if ( ! defined( 'ABSPATH' ) ) {
	define( 'ABSPATH', __DIR__ . '/' );
}

require_once ABSPATH . 'wp-settings.php';
