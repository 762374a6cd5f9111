<?php
#[AllowDynamicProperties]
class JConfig {
	public $offline = false;
	public $offline_message = 'Away.<br>Back at 5 o\'clock; public $db = "no";';
	public $dbtype = 'mysqli';
	public $host = '10.0.0.5:3308';
	public $user = 'joe';
	public $password = 's3cr3t{}';
	public $db = 'joomla-db';
	public $dbprefix = 'abc_';
	public $robots = array('a' => array(1, 2.5, -3), 'b');
	public function get($password = 'x') { $db = 'y'; return $this->db; }
}
