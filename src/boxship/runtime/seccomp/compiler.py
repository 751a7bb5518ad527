from boxship.oci.runtime import Seccomp
from boxship.runtime.blueprint import SeccompFilter


def compile_filter(profile: Seccomp, machine: str) -> SeccompFilter:
    raise NotImplementedError
