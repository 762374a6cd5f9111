<?php
define('DB_NAME', 'blog');
define('DB_USER', 'u');
$notice = <<<HTML
  define('DB_PASSWORD', 'in a heredoc');
  HTMLX HTML_ {$x}
  HTML;
$other = <<<'NOW'
define('DB_PASSWORD', 'in a nowdoc');
NOW;
define('DB_PASSWORD', <<<TEXT
s3cr3t
TEXT
);
define('DB_HOST', 'localhost');
