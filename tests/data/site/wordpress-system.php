<?php
/* As of a system's package: one for all sites, which have files of their own. */
$host = strtolower(preg_replace('/:.*/', '', $_SERVER['HTTP_HOST']));
$own_file = '/etc/blogs/' . $host . '.php';

if (file_exists($own_file)) {
    require_once($own_file);
} elseif (file_exists("/etc/blogs/default.php")) {
    require_once("/etc/blogs/default.php");
}

if (!defined('ABSPATH'))
    define('ABSPATH', '/usr/share/blogs/');
if (!defined('DB_NAME'))
    define('DB_NAME', 'wordpress');
if (!defined('DB_PASSWORD'))
    define('DB_PASSWORD', 's3cr3t');
require_once(ABSPATH . 'wp-settings.php');
