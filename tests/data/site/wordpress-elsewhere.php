<?php
// The secrets are not in the document root.
require __DIR__ . '/../private/database.php';
$table_prefix = 'wp_';
require_once ABSPATH . 'wp-settings.php';
