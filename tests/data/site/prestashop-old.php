<?php
define('_DB_SERVER_', 'localhost:/tmp/s');
define('_DB_NAME_', 'presta');
define('_DB_USER_', 'shop');
define('_DB_PASSWD_', 's3cr3t');
define('_DB_PREFIX_', 'ps_');
