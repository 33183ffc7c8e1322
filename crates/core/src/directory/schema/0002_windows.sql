-- When the machines of a site are planned to be reached, as people write it: `Mon-Fri 02:00-02:12, Sat 22:00-06:00`.
ALTER TABLE site ADD COLUMN windows TEXT NOT NULL DEFAULT '';
