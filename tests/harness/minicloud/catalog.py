import os, requests
e = os.environ
ks, region = e['KS'], e['REGION']
s = requests.Session()
s.trust_env = False

def call(method, path, body=None, ok=(200, 201, 204)):
    r = s.request(method, ks + path, json=body, timeout=60)
    if r.status_code not in ok:
        raise SystemExit('%s %s: %s %s' % (method, path, r.status_code, r.text))
    return r

def ensure(kind, match, extra=None):
    plural = kind + 's'
    query = '&'.join('%s=%s' % kv for kv in match.items())
    found = call('GET', '/%s?%s' % (plural, query)).json()[plural]
    if found:
        if extra:
            call('PATCH', '/%s/%s' % (plural, found[0]['id']), {kind: extra})
        return found[0]['id']
    return call('POST', '/' + plural, {kind: dict(match, **(extra or {}))}).json()[kind]['id']

r = call('POST', '/auth/tokens', {'auth': {
    'identity': {'methods': ['password'], 'password': {'user': {
        'name': 'admin', 'domain': {'id': 'default'}, 'password': e['ADMIN_PW']}}},
    'scope': {'project': {'name': 'admin', 'domain': {'id': 'default'}}}}})
s.headers['X-Auth-Token'] = r.headers['X-Subject-Token']
project = ensure('project', {'name': 'service', 'domain_id': 'default'})
roles = [ensure('role', {'name': n}) for n in ('admin', 'service')]
for line in e['SERVICES_TABLE'].split():
    name, kind, url = line.split(',', 2)
    user = ensure('user', {'name': name, 'domain_id': 'default'}, {'password': e['SVC_PW']})
    for role in roles:
        call('PUT', '/projects/%s/users/%s/roles/%s' % (project, user, role))
    service = ensure('service', {'name': name, 'type': kind})
    for interface in ('public', 'internal', 'admin'):
        ensure('endpoint', {'service_id': service, 'interface': interface, 'region_id': region},
               {'url': url})
