import sqlalchemy as sa, sys
from neutron.db.migration.models import head
from neutron.db.models.securitygroup_default_rules import SecurityGroupDefaultRule as Rule
engine = sa.create_engine(sys.argv[1])
head.get_metadata().create_all(engine)
with sa.orm.Session(engine) as s, s.begin():
    if not s.query(Rule).count():       # the rows that a migration would have inserted
        for way, remote, other in (('egress', None, True), ('ingress', 'PARENT', False)):
            for ip in ('IPv4', 'IPv6'):
                s.add(Rule(direction=way, ethertype=ip, remote_group_id=remote,
                           used_in_default_sg=True, used_in_non_default_sg=other,
                           description='Legacy default SG rule for %s traffic' % way))
