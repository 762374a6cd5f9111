<?php
define('DB_NAME', 'blog');
define('DB_USER', 'u');

define('DB_PASSWORD', getenv('WORDPRESS_DB_PASSWORD') ?: 's3cr3t');
define('DB_HOST', 'localhost');
