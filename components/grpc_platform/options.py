"""What the options of a component mean for the resources in it."""

import pulumi


def for_children_too(opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions | None:
    """The options a component is given, with `depends_on` holding for all that it makes.

    Pulumi hands `providers` and `aliases` down to children. It does not hand down `depends_on`: a
    child would be made as soon as its own inputs are known
    (https://github.com/pulumi/pulumi/issues/7542).
    """
    if opts is None or opts.depends_on is None:
        return opts
    wait = pulumi.ResourceOptions(depends_on=opts.depends_on)

    def after_all(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult:
        return pulumi.ResourceTransformationResult(
            args.props, pulumi.ResourceOptions.merge(args.opts, wait)
        )

    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(transformations=[after_all]))
