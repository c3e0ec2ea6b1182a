"""From a URL to a verified file on disk.

* :mod:`zoo.download.http` asks, follows, streams and verifies;
* :mod:`zoo.download.drive` reads the pages that a file host sends in place of a file;
* :mod:`zoo.download.refusals` says why an answer is not the file;
* :mod:`zoo.download.addresses` says where an answer may lead;
* :mod:`zoo.download.progress` is how a long step reports on itself.

Nothing is imported here: whoever finds a file in the cache has no need of an HTTP library.
"""
