<?php
$databases = [];
if (isset($_ENV['HOSTER'])) {
  include_once __DIR__ . '/settings.hoster.php';
}
