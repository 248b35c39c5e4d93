using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.ILGPU.Tests.Emulation;

namespace Mamba.Managed.ILGPU.Tests.Kernels;

/// <summary>The kernels with matrix instructions, as ILGPU compiles them for NVIDIA's GPUs, carried out on the host.</summary>
public sealed class MatrixProductEmulationTests
{
    [Test]
    public void Every_kernel_computes_the_product_and_stays_within_its_matrices(
        [Values] bool aTransposed, [Values] bool bTransposed, [Values("Float32", "High", "BFloat16")] string kind, [Values(0, 1, 2)] int size)
    {
        NumberType type = kind == "BFloat16" ? NumberType.BFloat16 : NumberType.Float32;
        ProductPrecision precision = kind == "High" ? ProductPrecision.High : ProductPrecision.Default;
        IReadOnlyList<Action<ProductTileArguments>> kernels = ProductKernels.Of(type, precision, aTransposed, bTransposed);
        if (size >= kernels.Count)
        {
            Assert.Pass("no such kernel");
        }

        PtxProgram program = PtxKernel.Compile(kernels[size].Method, ProductKernels.Threads);
        ProductTile tile = ProductTile.All[size];
        ProductCase one = new(tile.Rows + 16, tile.Columns + 5, 112)
        {
            ATransposed = aTransposed,
            BTransposed = bTransposed,
            Operands = type,
            Precision = precision,
            HasBias = true,
            Accumulates = true,
        };
        Check(program, one, new(size, 1, 112), copiesAtOnce: false);
        ProductCase small = one with { Rows = 48, Columns = 17, Result = NumberType.BFloat16, Accumulates = false };
        Check(program, small, new(size, 1, 112), copiesAtOnce: true);
        Check(program, small with { HasBias = false }, new(size, 2, 64), copiesAtOnce: false);
    }

    private static void Check(PtxProgram program, ProductCase one, ProductPlan plan, bool copiesAtOnce)
    {
        using Context context = DeviceList.CreateContext(builder => builder.CPU(CPUDevice.Default));
        using GpuSession session = new(context, CPUDevice.Default.CreateAccelerator(context));
        using DeviceData data = new(session);
        Operand a = new(data.Matrix(one.A, one.RowsOfA, one.PitchA, one.Operands), one.ATransposed);
        Operand b = new(data.Matrix(one.B, one.RowsOfB, one.PitchB, one.Operands), one.BTransposed);
        DeviceMatrix c = data.Matrix(one.C, one.Rows, one.PitchC, one.Result);
        ProductShape shape = new(one.Rows, one.Columns, one.Depth);
        ProductOptions options = new()
        {
            Bias = data.Vector(one.Bias),
            Accumulate = one.Accumulates,
            Workspace = data.Vector(new float[plan.Workspace(shape)]),
        };
        MatrixProduct.Divided(
            session, (config, arguments) => PtxKernel.Run(program, config, arguments, copiesAtOnce, data.Buffers), plan, a, b, c, shape, options);
        one.Check(data.Read(c));
    }
}
