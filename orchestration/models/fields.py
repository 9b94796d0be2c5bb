"""The portal's field for definitions, under the name that migrations know."""

from portal.core.fields import OrderedJSONField

__all__ = ["OrderedJSONField"]
