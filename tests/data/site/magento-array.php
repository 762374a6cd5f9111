<?php
return array (
  'db' =>
  array (
    'connection' =>
    array (
      'default' =>
      array (
        'host' => '/run/mysqld/m.sock',
        'dbname' => 'm',
        'username' => 'mage',
        'password' => "s3cr3t",
      ),
    ),
  ),
);
