"""How a component's options apply to its children."""

import pulumi


def for_children_too(opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions | None:
    """The component's options, with `depends_on` applied to all its children.

    Pulumi passes `providers` and `aliases` to children, but not `depends_on`: a child would be
    created as soon as its own inputs are known (https://github.com/pulumi/pulumi/issues/7542).
    """
    if opts is None or opts.depends_on is None:
        return opts
    wait = pulumi.ResourceOptions(depends_on=opts.depends_on)

    def after_all(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult:
        return pulumi.ResourceTransformationResult(
            args.props, pulumi.ResourceOptions.merge(args.opts, wait)
        )

    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(transformations=[after_all]))
