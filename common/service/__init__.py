"""The station's local HTTP API: who may ask for what, and what is answered."""

from common.service.api import ApiServer, build_api

__all__ = ["ApiServer", "build_api"]
