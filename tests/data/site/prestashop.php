<?php return array (
  'parameters' =>
  array (
    'database_host' => '127.0.0.1',
    'database_port' => '',
    'database_name' => 'presta',
    'database_user' => 'shop',
    'database_password' => 's3cr3t',
    'database_prefix' => 'ps_',
    'mailer_transport' => 'smtp',
  ),
);
