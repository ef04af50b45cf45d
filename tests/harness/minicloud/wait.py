import http.client, sys, time        # wait.py PORT PATH: 0 when it answers, 1 after 2 seconds
end = time.time() + 2
while time.time() < end:
    try:
        c = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]), timeout=60)
        c.request('GET', sys.argv[2])
        if c.getresponse().status < 400:
            sys.exit(0)
    except (OSError, http.client.HTTPException):
        pass
    time.sleep(0.1)
sys.exit(1)
