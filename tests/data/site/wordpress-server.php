<?php
define('DB_NAME', $_SERVER['DB'] ?? 'blog');
