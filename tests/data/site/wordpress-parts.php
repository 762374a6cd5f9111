<?php
$prefix = 'x'; $prefix = 'shop_';
define('ACCOUNT', $prefix . "1");
define('DB_NAME', ACCOUNT . '_wp' );
define('DB_USER', ACCOUNT);
$passwords = ['live' => 's3cr3t', 'test' => 'no'];
define('DB_PASSWORD', 's3' . 'cr3t');
