"""The create request equals Docker's own client's, flag by flag: both are recorded and compared."""

import shlex
from pathlib import Path

import pytest

ACCEPTED = """
bb
bb true
bb sh -c 'echo $HOME'
-it bb
-i bb
-t bb
-a stdin bb
-a stdout -i bb
-a stdout -a stderr bb
--init bb
--init=false bb
--rm bb
-p 80 bb
-p=80 bb
-p8080:80/udp bb
-p 127.0.0.1::80 bb
-p [::1]:90-91:90-91 bb
-p 8000-8001:80 bb
-p 80:80 -p 81:80 bb
-p target=80,published=8080,protocol=udp bb
--expose 80-81 --expose 5/udp bb
-P bb
-v /a:/b:ro -v vol:/c -v /anon bb
-v ./rel:/x bb
-v /a:/b:z,ro,rslave bb
--mount type=bind,src=/a,dst=/b,ro bb
--mount type=bind,src=/a,dst=/b,ro=false bb
--mount type=bind,src=a,dst=/b bb
--mount type=bind,src=./a,dst=/b bb
--mount type=tmpfs,dst=/x,tmpfs-size=1m,tmpfs-mode=1777 bb
--mount src=v,dst=/x,volume-nocopy,volume-driver=local,volume-opt=a=b,volume-label=c=d bb
--mount dst=/x,volume-subpath=s bb
--mount type=bind,source=/a,target=/b,bind-propagation=rslave,bind-recursive=disabled bb
--mount type=bind,source=/a,target=/b,consistency=cached,readonly,bind-recursive=writable bb
--mount type=image,src=a,dst=/x,image-subpath=q bb
--mount type=foo,dst=/x bb
--mount type=bind,dst=/x bb
--tmpfs /t --tmpfs /u:rw,size=1m bb
-m 10m --memory-swap -1 --memory-reservation 5m --memory-swappiness 5 bb
-m 1.5g bb
-m '10 MB' bb
--memory-swap 20m bb
--cpus 1.5 bb
--cpus .5 bb
--ulimit nofile=10:20 --ulimit nproc=5 --ulimit core=-1 bb
--ulimit nofile=10 --ulimit nofile=20 bb
--cap-add sys_admin --cap-drop CAP_NET_RAW --cap-add ALL bb
--cap-add net_raw --cap-drop net_raw bb
--net none bb
--network host bb
--net container:x bb
--net foo --ip 1.2.3.4 --network-alias q --link-local-ip 169.254.1.1 --link a:b bb
--net name=foo,alias=a,alias=b,ip=1.2.3.4,driver-opt=a=b,gw-priority=3 bb
--net name=foo,mac-address=02:42:ac:11:00:02 bb
--net a --net b bb
--net bridge bb
--net bridge --ip 1.2.3.4 bb
--net default bb
--ip6 2001:db8::1 bb
--mac-address 02:42:ac:11:00:02 bb
--link a:b --link c bb
--device /dev/null --device /dev/a:/dev/b:r --device /dev/x:rw bb
--device vendor.com/class=a --device /dev/null --device vendor.com/class=b:c --gpus all bb
--device-cgroup-rule 'c 1:3 rwm' bb
--gpus all bb
--gpus 2 bb
--gpus '"device=0,1",capabilities=compute' bb
--security-opt seccomp=profile.json --security-opt no-new-privileges --security-opt apparmor=x bb
--security-opt seccomp=unconfined bb
--security-opt systempaths=unconfined bb
--security-opt no-new-privileges:true --security-opt label:disable bb
--security-opt writable-cgroups=true bb
-e A=b -e PASSED -e MISSING -e EMPTY= bb
-e A=b --env-file env bb
-l a=b -l c --label-file labels bb
--health-cmd 'true x' --health-interval 30s --health-retries 3 --health-timeout 1m30s bb
--health-start-period 1s --health-start-interval 2.5s bb
--no-healthcheck bb
--restart on-failure:3 bb
--restart always bb
--restart always:3 bb
--log-driver none bb
--log-opt max-size=1m --log-opt a bb
--storage-opt size=1G bb
--sysctl net.core.somaxconn=5 --annotation c=d bb
--shm-size 64m bb
--oom-kill-disable --oom-score-adj 5 bb
--pids-limit 10 bb
--pids-limit=-1 bb
--stop-signal TERM --stop-timeout 0 bb
--add-host a:1.2.3.4 --add-host b=::1 --add-host h:host-gateway --add-host x:[::1] bb
--dns 1.1.1.1 --dns-opt x --dns-option y --dns-search z bb
--pid host --ipc host --uts host --userns host --cgroupns host bb
--pid container:x --ipc container:y --cgroupns private bb
--entrypoint sh bb -c x
--entrypoint '' bb
-u 1:2 -w /x -h h --domainname d --read-only --privileged --group-add a bb a b
--cgroup-parent /x --runtime r --volume-driver q --volumes-from y:ro bb
--cidfile id bb
--name foo --platform linux/arm64 bb
--blkio-weight 10 --blkio-weight-device /dev/a:100 --device-read-bps /dev/a:1m bb
--device-write-bps /dev/a:2 --device-read-iops /dev/a:3 --device-write-iops /dev/a:4 bb
-c 5 --cpu-period 6 --cpu-quota 7 --cpu-rt-period 8 --cpu-rt-runtime 9 --cpuset-cpus 0-1 bb
--cpuset-mems 0 --isolation x bb
--use-api-socket bb
--interactive --tty=false bb -it --rm
-- bb --rm
""".strip().splitlines()

REFUSED = """

--foo bb
-m
-m abc bb
-m -5 bb
--cpus 0.00000000001 bb
--cpus x bb
-p foo bb
-p 99999 bb
-p 80-70 bb
-p 1.2.3:80:80 bb
-p 80:80/foo bb
--expose a bb
--mount foo bb
--mount type=bind,src=/a bb
--mount type=bind,src=/a,dst=/b,foo=1 bb
--mount type=bind,src=/a,dst=/b,volume-nocopy bb
--mount type=bind,src=/a,dst=/b,bind-recursive=readonly bb
--ulimit foo=1 bb
--ulimit nofile=20:10 bb
--ulimit nofile bb
--mac-address foo bb
--device a:b:c:d bb
--device-cgroup-rule foo bb
--security-opt seccomp=/nonexistent bb
--security-opt foo bb
-e =x bb
-l =x bb
--env-file /nonexistent bb
--env-file spaces bb
--no-healthcheck --health-cmd x bb
--health-retries=-1 bb
--restart on-failure:x bb
--restart :3 bb
--rm --restart always bb
--log-driver none --log-opt a=b bb
--storage-opt foo bb
--sysctl foo=1 bb
--add-host foo bb
--add-host a:b bb
--dns foo bb
--pid foo bb
--uts foo bb
--userns foo bb
--cgroupns foo bb
--memory-swappiness 101 bb
--blkio-weight-device foo bb
--device-read-bps foo bb
--pull foo bb
--rm=maybe bb
-a foo bb
--net foo=bar bb
--gpus foo=1 bb
""".strip("\n").splitlines()


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("A=1\n# comment\n\n  PADDED=x y\nPASSED\nMISSING\n")
    (tmp_path / "spaces").write_text("A B=1\n")
    (tmp_path / "labels").write_text("one=1\ntwo\n")
    (tmp_path / "profile.json").write_text('{"defaultAction": "SCMP_ACT_ALLOW",\n "x": [1, 2]}')


@pytest.mark.parametrize("line", ACCEPTED)
def test_the_request_equals_dockers(line: str, recorder, ours, theirs) -> None:
    recorded = []
    for client in (theirs, ours):
        # Given the version, docker does not fall back to an old one when its ping is slow.
        environment = {"PASSED": "on", "DOCKER_API_VERSION": recorder.version}
        outcome = client("create", *shlex.split(line), **environment)
        created = [request for request in recorder.take() if "/create" in request.target]
        assert len(created) == 1, outcome
        body = created[0].json()
        # Docker's client goes through maps and sends variables and binds in any order.
        body["Env"] = body["Env"] and sorted(body["Env"])
        host = body["HostConfig"]
        host["Binds"] = host["Binds"] and sorted(host["Binds"])
        recorded.append((created[0].target, body))
    assert recorded[1] == recorded[0]


@pytest.mark.parametrize(
    ("line", "test"),
    [
        ("--health-http :80/up", ["HTTP", ":80/up"]),
        ("--health-tcp :5432", ["TCP", ":5432"]),
        ("--health-grpc :50051/a.B", ["GRPC", ":50051/a.B"]),
    ],
)
def test_health_checks_beyond_dockers(line: str, test: list[str], recorder, ours) -> None:
    ours("create", *line.split(), "bb")
    (created,) = [request for request in recorder.take() if "/create" in request.target]
    assert created.json()["Healthcheck"] == {"Test": test}


def test_there_is_one_health_check(ours) -> None:
    outcome = ours("create", "--health-tcp", ":80", "--health-cmd", "x", "bb")
    assert outcome.code == 125
    assert "one health check" in outcome.err


@pytest.mark.parametrize("line", REFUSED)
def test_what_docker_refuses_is_refused_with_its_exit_code(
    line: str, recorder, ours, theirs
) -> None:
    outcomes = []
    for client in (theirs, ours):
        outcome = client("create", *shlex.split(line))
        assert recorder.take() == []
        assert outcome.out == ""
        outcomes.append(outcome)
    assert outcomes[1].code == outcomes[0].code
    assert "boxship create --help" in outcomes[1].err
