<?php
$databases['default']['default'] = array_merge(['database' => 'd', 'password' => 's3cr3t'], $more);
