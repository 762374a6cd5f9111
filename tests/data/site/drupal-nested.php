<?php
$databases = [
  'default' => [
    'default' => [
      'driver' => 'mysql', 'database' => 'd', 'username' => 'dru', 'password' => 's3cr3t',
      'unix_socket' => '/run/s',
      'host' => 'localhost',
    ],
  ],
  'other' => ['default' => ['database' => 'no']],
];
$databases['default']['default']['password'] = 's3cr3t2';
