<?php
define('DB_NAME', 'blog');
define('DB_USER', 'u');
define('DB_PASSWORD', base64_decode('s3cr3t'));
