<?php

/**
 * Drupal's own settings file has a thousand lines like these:
 * @code
 * $databases['default']['default'] = [
 *   'database' => 'in_a_comment',
 * ];
 * @endcode
 */
$databases = [];
# $databases['default']['default'] = ['database' => 'in_another'];

/**
 * if (file_exists($app_root . '/' . $site_path . '/settings.local.php')) {
 *   include $app_root . '/' . $site_path . '/settings.local.php';
 * }
 */
$settings['hash_salt'] = 'xx';
$settings['file_scan_ignore_directories'] = ['node_modules', 'bower_components', ];
$databases['default']['default'] = array (
  'database' => 'drupal_db',
  'username' => 'dru',
  'password' => 's3cr3t',
  'prefix' => '',
  'host' => 'db.internal',
  'port' => '3309',
  'isolation_level' => 'READ COMMITTED',
  'driver' => 'mysql',
  'namespace' => 'Drupal\\mysql\\Driver\\Database\\mysql',
  'init_commands' => [ 'isolation' => 'SET SESSION tx_isolation=\'READ-COMMITTED\'' ],
  'pdo' => [ PDO::ATTR_TIMEOUT => 5, PDO::MYSQL_ATTR_SSL_CA => '/x' ],
);
$databases['default']['replica'][] = ['database' => 'replica'];
$settings['config_sync_directory'] = '../config/sync';
