<?php
const DB_NAME = 'blog', WP_DEBUG = true;
const DB_USER = 'u';
const DB_PASSWORD = 's3cr3t';
const DB_HOST = '2001:db8::7';
