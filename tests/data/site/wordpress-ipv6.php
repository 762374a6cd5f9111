<?php
define('DB_NAME', 'blog');
define('DB_USER', 'u');
define('DB_PASSWORD', 's3cr3t');
define('DB_HOST', 'p:[::1]:3306');
