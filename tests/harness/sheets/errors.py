"""Errors in the form in which Google's APIs answer them."""

STATUS = {
    400: 'INVALID_ARGUMENT', 401: 'UNAUTHENTICATED', 403: 'PERMISSION_DENIED', 404: 'NOT_FOUND', 409: 'ABORTED',
    429: 'RESOURCE_EXHAUSTED', 500: 'INTERNAL', 501: 'UNIMPLEMENTED', 503: 'UNAVAILABLE', 504: 'DEADLINE_EXCEEDED',
}
SERVICE = 'sheets.googleapis.com'


class ApiError(Exception):
    """An answer other than 200."""

    def __init__(self, code, message, details=(), headers=()):
        super().__init__(message)
        self.code, self.message, self.details, self.headers = code, message, list(details), dict(headers)

    def body(self):
        error = {'code': self.code, 'message': self.message, 'status': STATUS.get(self.code, 'UNKNOWN')}
        return {'error': error | ({'details': self.details} if self.details else {})}


def invalid(message):
    return ApiError(400, message)


def bad_fields(message, violations):
    """A request that does not fit the API's definition; `violations` are pairs of field and description."""
    return ApiError(400, message, [{
        '@type': 'type.googleapis.com/google.rpc.BadRequest',
        'fieldViolations': [
            {'field': field, 'description': text} if field else {'description': text} for field, text in violations],
    }])


def error_info(reason, **metadata):
    return {
        '@type': 'type.googleapis.com/google.rpc.ErrorInfo', 'reason': reason, 'domain': 'googleapis.com',
        'metadata': {'service': SERVICE} | metadata,
    }
