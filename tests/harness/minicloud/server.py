import sys                       # server.py NOVA_CONF PROJECT_ID NAME VCPUS RAM_MB
conf, project, name, vcpus, ram = sys.argv[1:4] + [int(n) for n in sys.argv[4:]]
from nova import monkey_patch
monkey_patch.patch(backend='threading')
from nova import config, context, objects
from nova.network.model import NetworkInfo
from oslo_utils import timeutils, uuidutils
config.parse_args(['nova', '--config-file', conf])
objects.register_all()
ctx = context.get_admin_context()
cell = [c for c in objects.CellMappingList.get_all(ctx) if c.name == 'cell1'][0]
uuid, user = uuidutils.generate_uuid(), 'minicloud'
with context.target_cell(ctx, cell) as cctx:
    objects.Instance(
        cctx, uuid=uuid, project_id=project, user_id=user, display_name=name, hostname=name,
        vcpus=vcpus, memory_mb=ram, root_gb=0, ephemeral_gb=0, instance_type_id=1, image_ref='',
        vm_state='active', task_state=None, power_state=1, progress=0, launch_index=0,
        reservation_id='r-minicld', launched_at=timeutils.utcnow(), availability_zone='nova',
        auto_disk_config=False, locked=False, config_drive='', metadata={}, system_metadata={},
        info_cache=objects.InstanceInfoCache(cctx, network_info=NetworkInfo([])),
        old_flavor=None, new_flavor=None, flavor=objects.Flavor(
            cctx, id=1, flavorid='m%d.%d' % (vcpus, ram), name='m%d.%d' % (vcpus, ram), vcpus=vcpus,
            memory_mb=ram, root_gb=0, ephemeral_gb=0, swap=0, rxtx_factor=1.0, vcpu_weight=0,
            disabled=False, is_public=True, extra_specs={}, description=None, created_at=None,
            updated_at=None, deleted_at=None, deleted=False)).create()
objects.InstanceMapping(ctx, instance_uuid=uuid, project_id=project, user_id=user,
                        cell_mapping=cell, queued_for_delete=False).create()
print(uuid)
