"""From a URL to a verified file on disk.

* :mod:`zoo.download.sources` knows who may have a file: the user's mirror, then what the registry lists;
* :mod:`zoo.download.engine` asks one of them as often as it is worth while;
* :mod:`zoo.download.transfer` is one try: what has come before, then the rest, through the hashes;
* :mod:`zoo.download.transports` is the table from the scheme of a URL to what opens it;
* :mod:`zoo.download.asking` is what every opener is asked with, and what it gives;
* :mod:`zoo.download.http` follows redirects and pages to a body;
* :mod:`zoo.download.pages` reads what comes in place of a file, and says why it is not the file;
* :mod:`zoo.download.failures` says what that means for the user.

What has come is kept by :mod:`zoo.storage.partials`, double work is spared by :mod:`zoo.storage.locks`.
Nothing is imported here: whoever finds a file in the cache has no need of an HTTP library.
"""
