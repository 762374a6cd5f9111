<?php
return [
    'backend' => ['frontName' => 'admin_x'],
    'crypt' => ['key' => '0123456789abcdef'],
    'db' => [
        'table_prefix' => '',
        'connection' => [
            'indexer' => ['host' => 'no', 'dbname' => 'no'],
            'default' => [
                'host' => 'localhost',
                'dbname' => 'magento_db',
                'username' => 'mage',
                'password' => 's3cr3t',
                'model' => 'mysql4',
                'engine' => 'innodb',
                'initStatements' => 'SET NAMES utf8;',
                'active' => '1',
                'driver_options' => [
                    1014 => false
                ]
            ]
        ]
    ],
    'x-frame-options' => 'SAMEORIGIN',
    'install' => ['date' => 'Mon, 01 Jan 2024 00:00:00 +0000']
];
$databases['default']['default'] = ['database' => 'never reached'];
