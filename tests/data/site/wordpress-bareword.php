<?php
define('DB_NAME', 'blog');
define('DB_USER', 'u');
define('DB_PASSWORD', s3cr3t);
