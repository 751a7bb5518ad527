"""All functions by the names under which files call them."""

from collections.abc import Mapping

from boxship.cli.bake.hcl.evaluation import Function
from boxship.cli.bake.hcl.functions import encoding, lists, numbers, texts
from boxship.cli.bake.hcl.functions.networks import cidrhost, cidrnetmask, cidrsubnet, cidrsubnets
from boxship.cli.bake.hcl.syntax import Value


def formatlist(form: Value, *arguments: Value) -> Value:
    """Format once for each element of the lists among the arguments."""
    count = max((len(one) for one in arguments if isinstance(one, tuple)), default=1)
    rows = (
        [one[at] if isinstance(one, tuple) else one for one in arguments] for at in range(count)
    )
    return tuple(texts.format_text(form, *row) for row in rows)


def reverse(value: Value) -> Value:
    """Return a list or a text backwards."""
    return value[::-1] if isinstance(value, tuple) else texts.reverse(value)


FUNCTIONS: Mapping[str, Function] = {
    "absolute": numbers.absolute,
    "add": numbers.add,
    "and": numbers.both,
    "base64decode": encoding.base64decode,
    "base64encode": encoding.base64encode,
    "basename": texts.basename,
    "ceil": numbers.ceil,
    "chomp": texts.chomp,
    "chunklist": lists.chunklist,
    "cidrhost": cidrhost,
    "cidrnetmask": cidrnetmask,
    "cidrsubnet": cidrsubnet,
    "cidrsubnets": cidrsubnets,
    "coalesce": lists.coalesce,
    "coalescelist": lists.coalescelist,
    "compact": lists.compact,
    "concat": lists.concat,
    "contains": lists.contains,
    "csvdecode": encoding.csvdecode,
    "dirname": texts.dirname,
    "distinct": lists.distinct,
    "divide": numbers.divide,
    "element": lists.element,
    "equal": numbers.equal,
    "flatten": lists.flatten,
    "floor": numbers.floor,
    "format": texts.format_text,
    "formatdate": encoding.formatdate,
    "formatlist": formatlist,
    "greaterthan": numbers.greaterthan,
    "greaterthanorequalto": numbers.greaterthanorequalto,
    "hasindex": lists.hasindex,
    "homedir": texts.homedir,
    "indent": texts.indent,
    "index": lists.index,
    "indexof": lists.indexof,
    "int": numbers.integer,
    "join": texts.join,
    "jsondecode": encoding.jsondecode,
    "jsonencode": encoding.jsonencode,
    "keys": lists.keys,
    "length": lists.length,
    "lessthan": numbers.lessthan,
    "lessthanorequalto": numbers.lessthanorequalto,
    "log": numbers.logarithm,
    "lookup": lists.lookup,
    "lower": texts.lower,
    "max": numbers.maximum,
    "md5": encoding.md5,
    "merge": lists.merge,
    "min": numbers.minimum,
    "modulo": numbers.modulo,
    "multiply": numbers.multiply,
    "negate": numbers.negate,
    "not": numbers.negation,
    "notequal": numbers.notequal,
    "or": numbers.either,
    "parseint": numbers.parseint,
    "pow": numbers.power,
    "range": lists.range_list,
    "regex": texts.regex,
    "regex_replace": texts.regex_replace,
    "regexall": texts.regexall,
    "replace": texts.replace,
    "reverse": reverse,
    "reverselist": lists.reverselist,
    "sanitize": texts.sanitize,
    "sethaselement": lists.sethaselement,
    "setintersection": lists.setintersection,
    "setproduct": lists.setproduct,
    "setsubtract": lists.setsubtract,
    "setsymmetricdifference": lists.setsymmetricdifference,
    "setunion": lists.setunion,
    "sha1": encoding.sha1,
    "sha256": encoding.sha256,
    "sha512": encoding.sha512,
    "signum": numbers.signum,
    "slice": lists.slice_list,
    "sort": lists.sort,
    "split": texts.split,
    "strlen": texts.strlen,
    "substr": texts.substr,
    "subtract": numbers.subtract,
    "timeadd": encoding.timeadd,
    "timestamp": encoding.timestamp,
    "title": texts.title,
    "trim": texts.trim,
    "trimprefix": texts.trimprefix,
    "trimspace": texts.trimspace,
    "trimsuffix": texts.trimsuffix,
    "unixtimestampparse": encoding.unixtimestampparse,
    "upper": texts.upper,
    "urlencode": texts.urlencode,
    "uuidv4": encoding.uuidv4,
    "uuidv5": encoding.uuidv5,
    "values": lists.values,
    "zipmap": lists.zipmap,
}
