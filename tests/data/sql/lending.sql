-- A library that lends musical instruments: an ordinary schema, with a bit of
-- everything that ordinary schemas have.  For MariaDB 10.5 and later.

SET NAMES utf8mb4;
SET foreign_key_checks = 0;

CREATE TABLE country (
  country_id SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT,
  name VARCHAR(60) NOT NULL,
  updated TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
    ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (country_id),
  UNIQUE KEY name (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Where towns are';

CREATE TABLE town (
  town_id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  name VARCHAR(60) NOT NULL,
  country_id SMALLINT UNSIGNED NOT NULL,
  place POINT NOT NULL,
  PRIMARY KEY (town_id),
  KEY country (country_id),
  SPATIAL KEY place (place),
  CONSTRAINT town_country FOREIGN KEY (country_id)
    REFERENCES country (country_id) ON UPDATE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE address (
  address_id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  street VARCHAR(120) NOT NULL,
  postcode CHAR(10) CHARACTER SET ascii DEFAULT NULL,
  town_id INT UNSIGNED NOT NULL,
  phone VARCHAR(20) NOT NULL DEFAULT '',
  PRIMARY KEY (address_id),
  KEY town (town_id),
  CONSTRAINT address_town FOREIGN KEY (town_id) REFERENCES town (town_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- A branch has a keeper who works at a branch: a cycle.
CREATE TABLE branch (
  branch_id TINYINT UNSIGNED NOT NULL AUTO_INCREMENT,
  keeper_id SMALLINT UNSIGNED NOT NULL,
  address_id INT UNSIGNED NOT NULL,
  PRIMARY KEY (branch_id),
  UNIQUE KEY keeper (keeper_id),
  CONSTRAINT branch_keeper FOREIGN KEY (keeper_id)
    REFERENCES keeper (keeper_id),
  CONSTRAINT branch_address FOREIGN KEY (address_id)
    REFERENCES address (address_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE keeper (
  keeper_id SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT,
  name VARCHAR(80) NOT NULL,
  branch_id TINYINT UNSIGNED NOT NULL,
  boss_id SMALLINT UNSIGNED DEFAULT NULL,
  picture MEDIUMBLOB,
  password VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL,
  active BIT(1) NOT NULL DEFAULT b'1',
  PRIMARY KEY (keeper_id),
  CONSTRAINT keeper_branch FOREIGN KEY (branch_id)
    REFERENCES branch (branch_id),
  CONSTRAINT keeper_boss FOREIGN KEY (boss_id)
    REFERENCES keeper (keeper_id) ON DELETE SET NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE member (
  member_id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  name VARCHAR(80) NOT NULL,
  email VARCHAR(100) DEFAULT NULL,
  address_id INT UNSIGNED NOT NULL,
  born DATE DEFAULT NULL,
  joined DATETIME(6) NOT NULL,
  settings LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
    CHECK (JSON_VALID(settings)),
  initial CHAR(1) GENERATED ALWAYS AS (LEFT(name, 1)) VIRTUAL,
  greeting VARCHAR(100) GENERATED ALWAYS AS (CONCAT('Dear ', name)) STORED,
  PRIMARY KEY (member_id),
  KEY name (name(10)),
  KEY initial (initial),
  CONSTRAINT member_address FOREIGN KEY (address_id)
    REFERENCES address (address_id),
  CONSTRAINT member_born CHECK (born > '1900-01-01')
) ENGINE=InnoDB AUTO_INCREMENT=5000 DEFAULT CHARSET=utf8mb4;

CREATE TABLE family (
  family_id TINYINT UNSIGNED NOT NULL AUTO_INCREMENT,
  name VARCHAR(25) NOT NULL,
  PRIMARY KEY (family_id)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;

CREATE TABLE instrument (
  instrument_id SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT,
  name VARCHAR(80) NOT NULL,
  description TEXT,
  made YEAR DEFAULT NULL,
  fee DECIMAL(6,2) NOT NULL DEFAULT 4.99,
  `condition` ENUM('new','good','worn','does not "work"') DEFAULT 'good',
  features SET('case','strap','manual','spare strings','it''s blue')
    DEFAULT NULL,
  weight FLOAT DEFAULT NULL,
  tuning DOUBLE NOT NULL DEFAULT 440,
  PRIMARY KEY (instrument_id),
  KEY made_name (made DESC, name),
  FULLTEXT KEY words (name, description)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE instrument_family (
  instrument_id SMALLINT UNSIGNED NOT NULL,
  family_id TINYINT UNSIGNED NOT NULL,
  PRIMARY KEY (instrument_id, family_id),
  CONSTRAINT if_instrument FOREIGN KEY (instrument_id)
    REFERENCES instrument (instrument_id) ON DELETE CASCADE,
  CONSTRAINT if_family FOREIGN KEY (family_id) REFERENCES family (family_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE copy (
  copy_id MEDIUMINT UNSIGNED NOT NULL AUTO_INCREMENT,
  instrument_id SMALLINT UNSIGNED NOT NULL,
  branch_id TINYINT UNSIGNED NOT NULL,
  serial BINARY(8) NOT NULL,
  PRIMARY KEY (copy_id),
  UNIQUE KEY serial (serial),
  CONSTRAINT copy_instrument FOREIGN KEY (instrument_id)
    REFERENCES instrument (instrument_id),
  CONSTRAINT copy_branch FOREIGN KEY (branch_id) REFERENCES branch (branch_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE loan (
  loan_id INT NOT NULL AUTO_INCREMENT,
  lent DATETIME NOT NULL,
  copy_id MEDIUMINT UNSIGNED NOT NULL,
  member_id INT UNSIGNED NOT NULL,
  returned DATETIME DEFAULT NULL,
  keeper_id SMALLINT UNSIGNED NOT NULL,
  PRIMARY KEY (loan_id),
  UNIQUE KEY once (lent, copy_id, member_id),
  CONSTRAINT loan_copy FOREIGN KEY (copy_id) REFERENCES copy (copy_id),
  CONSTRAINT loan_member FOREIGN KEY (member_id) REFERENCES member (member_id),
  CONSTRAINT loan_keeper FOREIGN KEY (keeper_id) REFERENCES keeper (keeper_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE payment (
  payment_id INT UNSIGNED NOT NULL,
  loan_id INT DEFAULT NULL,
  amount DECIMAL(8,2) NOT NULL,
  paid TIMESTAMP NOT NULL DEFAULT '2001-01-01 00:00:00',
  PRIMARY KEY (payment_id, paid)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
PARTITION BY RANGE (UNIX_TIMESTAMP(paid)) (
  PARTITION old VALUES LESS THAN (UNIX_TIMESTAMP('2015-01-01 00:00:00')),
  PARTITION recent VALUES LESS THAN (UNIX_TIMESTAMP('2020-01-01 00:00:00')),
  PARTITION rest VALUES LESS THAN MAXVALUE
);

CREATE TABLE diary (
  entered DATETIME(3) NOT NULL,
  what VARCHAR(200) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE SEQUENCE ticket START WITH 1000 MINVALUE 1000 INCREMENT BY 10 CACHE 5;

SET foreign_key_checks = 0;

INSERT INTO country (country_id, name, updated)
  SELECT seq, ELT(seq, 'Österreich', 'Ísland', 'Ελλάδα', 'Polska', '日本',
    'Éire', 'Türkiye', 'Nederland'),
    '2012-03-04 05:06:07' + INTERVAL seq HOUR FROM seq_1_to_8;
INSERT INTO town
  SELECT seq, CONCAT('Town № ', seq), 1 + seq % 8,
    Point(seq * 1.25 - 90, 45 - seq / 3) FROM seq_1_to_60;
INSERT INTO address
  SELECT seq, CONCAT(seq, ' Flute Lane', IF(seq % 7, '', '\nBack door')),
    IF(seq % 5, LPAD(seq * 37, 5, '0'), NULL), 1 + seq % 60,
    CONCAT('+', seq * 991) FROM seq_1_to_200;
INSERT INTO branch VALUES (1, 1, 1), (2, 2, 2);
INSERT INTO keeper VALUES
  (1, 'Anna O''Hara', 1, NULL, UNHEX('89504E470D0A1A0A00FF'), 'geheim', b'1'),
  (2, 'Björn "B" Åkesson', 2, 1, NULL, NULL, b'0'),
  (3, 'Χρήστος', 2, 1, '', 'pa\\ss', b'1');
INSERT INTO member (member_id, name, email, address_id, born, joined, settings)
  SELECT seq, CONCAT(ELT(1 + seq % 4, 'Zoë', '李', 'Ngọc', '🎻 '), ' ', seq),
    IF(seq % 3, CONCAT('m', seq, '@example.org'), NULL), 1 + seq % 200,
    IF(seq % 11, '1960-02-29' + INTERVAL seq WEEK, NULL),
    '2005-05-24 22:53:30.000001' + INTERVAL seq * 1000003 MICROSECOND,
    IF(seq % 2, CONCAT('{"n": ', seq, ', "s": "a\\"b"}'), NULL)
  FROM seq_1_to_600;
INSERT INTO family VALUES (6, 'percussion'), (1, 'brass'), (2, 'woodwind'),
  (3, 'strings'), (4, 'keys'), (5, 'Hörner');
INSERT INTO instrument
  SELECT seq, CONCAT(ELT(1 + seq % 5, 'Cello', 'Tuba', 'Oboe', 'Celesta',
    'Udu'), ' ', seq),
    IF(seq % 4, REPEAT(CONCAT('Sounds like ', seq, '. '), seq % 40), NULL),
    IF(seq % 6, 1901 + seq % 120, NULL), seq / 100, 1 + seq % 4,
    IF(seq % 9, seq % 32, NULL), seq / 7, 415 + seq / 3 FROM seq_1_to_400;
INSERT INTO instrument_family
  SELECT seq, 1 + seq % 5 FROM seq_1_to_400;
INSERT INTO copy
  SELECT seq, 1 + seq % 400, 1 + seq % 2, UNHEX(LEFT(SHA1(seq), 16))
  FROM seq_1_to_1500;
INSERT INTO loan
  SELECT seq, '2010-01-01' + INTERVAL seq * 97 MINUTE, 1 + seq * 7 % 1500,
    1 + seq * 13 % 600,
    IF(seq % 17, '2010-01-01' + INTERVAL seq * 97 + 5000 MINUTE, NULL),
    1 + seq % 3 FROM seq_1_to_4000;
INSERT INTO payment
  SELECT seq, seq, seq % 1000 / 100, '2010-01-01' + INTERVAL seq * 1013 MINUTE
  FROM seq_1_to_4000;
INSERT INTO diary
  SELECT '2010-01-01 00:00:00.125' + INTERVAL seq SECOND,
    CONCAT('event ', seq % 50) FROM seq_1_to_500;
SELECT NEXTVAL(ticket) INTO @ticket;

-- Views on views; by name they come in the wrong order.
CREATE VIEW z_copies AS
  SELECT c.copy_id, i.name, c.branch_id, i.fee
  FROM copy c JOIN instrument i USING (instrument_id);
CREATE VIEW m_open_loans AS
  SELECT l.loan_id, l.lent, z.name, m.name AS borrower
  FROM loan l JOIN z_copies z USING (copy_id) JOIN member m USING (member_id)
  WHERE l.returned IS NULL;
CREATE VIEW a_overdue AS
  SELECT * FROM m_open_loans WHERE lent < '2010-06-01';
CREATE SQL SECURITY INVOKER VIEW cheap AS
  SELECT * FROM instrument WHERE fee < 1 WITH LOCAL CHECK OPTION;
CREATE ALGORITHM=MERGE VIEW cheap_old AS
  SELECT * FROM cheap WHERE made < 1950 WITH CASCADED CHECK OPTION;
CREATE ALGORITHM=TEMPTABLE VIEW totals (branch, loans, `what they paid`) AS
  SELECT c.branch_id, COUNT(*), SUM(p.amount)
  FROM loan l JOIN copy c USING (copy_id) LEFT JOIN payment p USING (loan_id)
  GROUP BY c.branch_id WITH ROLLUP;

DELIMITER //

CREATE FUNCTION loan_count(who INT UNSIGNED) RETURNS INT
  READS SQL DATA
  COMMENT 'How many a member has at home'
BEGIN
  DECLARE number INT DEFAULT 0; -- it's counted, not kept
  SELECT COUNT(*) INTO number FROM loan
    WHERE member_id = who AND returned IS NULL;
  /* A member may have none; # that is
     not worth a word */
  RETURN number;
END//

CREATE VIEW busy AS
  SELECT member_id, loan_count(member_id) AS loans FROM member
  WHERE loan_count(member_id) > 0//

CREATE PROCEDURE give_back(IN which INT, OUT late BOOLEAN, INOUT count INT)
  MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
  DECLARE EXIT HANDLER FOR NOT FOUND SET late = NULL;
  UPDATE loan SET returned = NOW() WHERE loan_id = which;
  SELECT DATEDIFF(returned, lent) > 28 INTO late FROM loan
    WHERE loan_id = which;
  SET count = count + ROW_COUNT();
  # No more;
END//

CREATE TRIGGER member_added AFTER INSERT ON member FOR EACH ROW
  INSERT INTO diary VALUES (NOW(3), CONCAT('welcome, ', NEW.name))//
CREATE TRIGGER loan_1 BEFORE INSERT ON loan FOR EACH ROW
  SET NEW.lent = COALESCE(NEW.lent, NOW())//
CREATE TRIGGER loan_2 BEFORE INSERT ON loan FOR EACH ROW FOLLOWS loan_1
BEGIN
  -- Nobody keeps more than five;
  IF loan_count(NEW.member_id) >= 5 THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'that''s enough';
  END IF;
END//
CREATE TRIGGER loan_0 BEFORE INSERT ON loan FOR EACH ROW PRECEDES loan_1
  SET @loans = @loans + 1//
CREATE TRIGGER loan_gone BEFORE DELETE ON loan FOR EACH ROW
  DELETE FROM payment WHERE loan_id = OLD.loan_id//

CREATE EVENT tidy ON SCHEDULE EVERY 1 WEEK STARTS '2031-02-03 04:05:06'
  ON COMPLETION PRESERVE COMMENT 'at night'
  DO DELETE FROM diary WHERE entered < NOW() - INTERVAL 10 YEAR//
CREATE EVENT once ON SCHEDULE AT '2035-12-24 18:00:00' DISABLE
  DO BEGIN
    INSERT INTO diary VALUES (NOW(3), 'closing early');
  END//

DELIMITER ;
