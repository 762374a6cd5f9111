<?php
class JConfig {
	public $dbtype = 'pgsql';
	public $host = 'localhost';
	public $user = 'joe';
	public $password = 's3cr3t';
	public $db = 'joomla';
}
