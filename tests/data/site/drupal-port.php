<?php
$databases['default']['default'] = ['database' => 'd', 'password' => 's3cr3t', 'host' => 'h', 'port' => '3306;'];
