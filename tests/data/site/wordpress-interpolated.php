<?php
$p = 's3cr3t';
define('DB_NAME', 'blog');
define('DB_USER', 'u');
define('DB_PASSWORD', "my$p");
