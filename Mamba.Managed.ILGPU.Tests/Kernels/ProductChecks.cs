using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Tests.Kernels;

/// <summary>Products on a device, held to the exact ones.</summary>
public abstract class ProductChecks(TestDevice device)
{
    private static readonly bool[] Both = [false, true];

    private protected GpuSession Session => device.Session;

    /// <summary>A case in all orders, types and precisions; bias and accumulation alternate.</summary>
    private protected static IEnumerable<ProductCase> Orders(ProductCase one) =>
        from aTransposed in Both
        from bTransposed in Both
        from kind in new[] { (NumberType.Float32, ProductPrecision.Default), (NumberType.Float32, ProductPrecision.High), (NumberType.BFloat16, ProductPrecision.Default) }
        from result in new[] { NumberType.Float32, NumberType.BFloat16 }
        select one with
        {
            ATransposed = aTransposed,
            BTransposed = bTransposed,
            Operands = kind.Item1,
            Precision = kind.Item2,
            Result = result,
            HasBias = aTransposed == bTransposed,
            Accumulates = aTransposed && result == NumberType.Float32,
        };

    private protected void Check(ProductCase one, ProductPlan? plan = null) => one.Check(Run(one, plan));

    private protected float[] Run(ProductCase one, ProductPlan? plan, float[]? otherB = null)
    {
        using DeviceData data = new(Session);
        Operand a = new(data.Matrix(one.A, one.RowsOfA, one.PitchA, one.Operands), one.ATransposed);
        Operand b = new(data.Matrix(otherB ?? one.B, one.RowsOfB, one.PitchB, one.Operands), one.BTransposed);
        DeviceMatrix c = data.Matrix(one.C, one.Rows, one.PitchC, one.Result);
        long length = plan?.Workspace(new(one.Rows, one.Columns, one.Depth)) ?? MatrixProduct.WorkspaceLength(Session, one.Rows, one.Columns, one.Depth);
        ProductOptions options = new()
        {
            Bias = data.Vector(one.Bias),
            Accumulate = one.Accumulates,
            Precision = one.Precision,
            Depth = one.Depth,
            Workspace = data.Vector(new float[length]),
        };
        if (plan is { } given)
        {
            IReadOnlyList<Action<ProductTileArguments>> kernels = ProductKernels.Of(one.Operands, one.Precision, one.ATransposed, one.BTransposed);
            Action<KernelConfig, ProductTileArguments> launch = Session.Grouped(kernels[given.Size], ProductKernels.Threads, given.Tile.Groups);
            MatrixProduct.Divided(Session, launch, given, a, b, c, ProductShape.Of(a, b, c, one.Columns, options), options);
        }
        else
        {
            MatrixProduct.Multiply(Session, a, b, c, one.Columns, options);
        }

        return data.Read(c);
    }
}
