<?php
define('DB_NAME', 'blog'); define('DB_PASSWORD', 's3cr3t'); define('DB_HOST', '[::1');
