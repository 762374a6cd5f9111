<?php
if ($_SERVER['HTTP_HOST'] == 'localhost') {
	define('DB_NAME', 'blog_test');
} else {
	define('DB_NAME', 'blog');
}
