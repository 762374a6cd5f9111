<?php
define('DB_NAME', "blog\x5fdb");
define('DB_USER', 'blog');
define('DB_PASSWORD', "\$s3cr3t\"\\\n\101\x41\u{e4}$");
define('DB_HOST', '127.0.0.1:3307');
