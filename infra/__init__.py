"""What runs the services: templates, saga, deployer, local cloud, the ecp command."""
