<?php
class JConfig
{
	var $dbtype = 'mysql';
	var $host = 'localhost';
	var $user = 'joe';
	var $password = 's3cr3t';
	var $db = 'joomla';
}
?>
