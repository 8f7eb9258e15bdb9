"""What a server has acknowledged, and what it therefore has to say: the other side of a load that may be cut off anywhere."""

import threading


class Broken(AssertionError):
    pass


class Ledger:
    """Images and tags of one repository. Each image, and each tag, is one worker's own, so that between its requests there is
    one truth; while a request is under way there are two, and the first look at a server after that says which.

    images: {digest: (image, state)}, the state sure, begun (a push), ending (a deletion) or gone; it is loose where lifecycle
    policies may take it at any time. tags: {tag: set of digests that it may have, None among them when it may be absent}.
    """

    def __init__(self, name, loose=False):
        self.name, self.loose = name, loose
        self.images, self.tags, self.copied = {}, {}, {}
        self.touched, self.lock = set(), threading.Lock()

    def state(self, digest):
        return self.images.get(digest, (None, "gone"))[1]

    def _set(self, image, state):
        with self.lock:
            self.images[image.digest] = image, state
            self.touched.add(image.digest)

    def push_begins(self, image, tag):
        if self.state(image.digest) != "sure":
            self._set(image, "begun")
        with self.lock:
            self.tags[tag] = self.tags.get(tag, {None}) | {image.digest}

    def push_ended(self, image, tag):
        self._set(image, "sure")
        with self.lock:
            self.tags[tag] = {image.digest}
            self.copied[image.digest] = image

    def deletion_begins(self, image):
        self._set(image, "ending")
        with self.lock:
            for digests in self.tags.values():
                if image.digest in digests:
                    digests.add(None)

    def deletion_ended(self, image):
        self._set(image, "gone")
        with self.lock:
            for tag, digests in self.tags.items():
                if image.digest in digests:
                    self.tags[tag] = {None}

    def emptied(self):
        self.images, self.tags, self.copied = {}, {}, {}
        self.touched = set()

    # -- looking --------------------------------------------------------------------------------------------------------

    def compare(self, seen):
        """Fails unless {digest: set of tags} is what was acknowledged, with what was under way in either form. From now on
        it is as it was seen."""
        for digest in seen:
            if digest not in self.images:
                raise Broken(f"{self.name}: {digest} was never pushed")
        for digest, (image, state) in self.images.items():
            if state == "sure" and digest not in seen and not self.loose:
                raise Broken(f"{self.name}: the acknowledged {digest} is lost")
            if state == "gone" and digest in seen:
                raise Broken(f"{self.name}: the deleted {digest} is back")
            self.images[digest] = image, "sure" if digest in seen else "gone"
        self._compare_tags(seen)

    def _compare_tags(self, seen):
        owners = {}
        for digest, tags in seen.items():
            for tag in tags:
                if tag in owners:
                    raise Broken(f"{self.name}: two images have the tag {tag}")
                owners[tag] = digest
        for tag in set(owners) - set(self.tags):
            raise Broken(f"{self.name}: nobody has pushed the tag {tag}")
        for tag, digests in self.tags.items():
            if owners.get(tag) not in digests | ({None} if self.loose else set()):
                raise Broken(f"{self.name}: the tag {tag} is on {owners.get(tag)}, and should be on {digests}")
            self.tags[tag] = {owners.get(tag)}

    def there(self):
        return [image for image, state in self.images.values() if state == "sure"]
