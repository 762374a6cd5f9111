<?php
\define('DB_NAME', 'blog');
define('DB_USER', 'u');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:/run/mysqld/other.sock');
