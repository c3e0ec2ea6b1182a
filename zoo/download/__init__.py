"""From a URL to a verified file on disk.

* :mod:`zoo.download.engine` asks one source as often as it is worth while;
* :mod:`zoo.download.transfer` is one try: what has come before, then the rest;
* :mod:`zoo.download.hashing` computes digests beside it;
* :mod:`zoo.download.http` follows redirects and pages to a body;
* :mod:`zoo.download.pages` reads the pages that a file host sends in place of a file;
* :mod:`zoo.download.pages` says why an answer is not the file;
* :mod:`zoo.download.failures` says what that means;
* :mod:`zoo.download.addresses` says where an answer may lead;
* :mod:`zoo.storage.partials` keeps what has come for the next try;
* :mod:`zoo.storage.locks` spares double work;
* :mod:`zoo.download.sources` asks the user's mirror what it has;
* :mod:`zoo.download.asking`, :mod:`zoo.download.asking`, :mod:`zoo.storage.clock`: how long, how slow;
* :mod:`zoo.storage.space` and :mod:`zoo.storage.space`: what the disk says;
* :mod:`zoo.storage.progress` is how a long step reports on itself.

Nothing is imported here: whoever finds a file in the cache has no need of an HTTP library.
"""
