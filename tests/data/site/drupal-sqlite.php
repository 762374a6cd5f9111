<?php
$databases['default']['default'] = [ 'driver' => 'sqlite', 'database' => 'sites/default/files/.sqlite' ];
