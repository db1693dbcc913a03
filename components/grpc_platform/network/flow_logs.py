"""VPC flow logs: accepted and refused connections, kept in CloudWatch."""

from __future__ import annotations  # EC2 and EKS load when used: they take a second

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws


def flow_logs(
    name: str,
    vpc_id: pulumi.Input[str],
    retention_days: int,
    tags: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> None:
    """Log all traffic of a VPC into a log group that keeps it `retention_days` days, through a role
    that can write there and nowhere else."""
    account = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(parent=opts.parent))
    group = aws.cloudwatch.LogGroup(name, retention_in_days=retention_days, tags=tags, opts=opts)
    # https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html, less its
    # CreateLogGroup: a group that the service recreates would keep its logs for ever.
    role = aws.iam.Role(
        name,
        description="Lets VPC flow logs write to their log group",
        assume_role_policy=pulumi.Output.json_dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "vpc-flow-logs.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                        "Condition": {"StringEquals": {"aws:SourceAccount": account.account_id}},
                    }
                ],
            }
        ),
        tags=tags,
        opts=opts,
    )
    policy = aws.iam.RolePolicy(
        name,
        role=role.name,
        policy=pulumi.Output.json_dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": [
                            "logs:CreateLogStream",
                            "logs:DescribeLogStreams",
                            "logs:PutLogEvents",
                        ],
                        "Resource": pulumi.Output.concat(group.arn, ":*"),
                    },
                    # AWS cannot limit this action to some groups.
                    {"Effect": "Allow", "Action": "logs:DescribeLogGroups", "Resource": "*"},
                ],
            }
        ),
        opts=opts,
    )
    aws.ec2.FlowLog(
        name,
        vpc_id=vpc_id,
        traffic_type="ALL",
        log_destination=group.arn,
        iam_role_arn=role.arn,
        tags=tags,
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[policy])),
    )
