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
    private static IEnumerable<TestCaseData> Kernels =>
        from aTransposed in new[] { false, true }
        from bTransposed in new[] { false, true }
        from kind in new[] { "Float32", "High", "BFloat16" }
        from size in Enumerable.Range(0, Of(aTransposed, bTransposed, kind).Count)
        select new TestCaseData(aTransposed, bTransposed, kind, size);

    [TestCaseSource(nameof(Kernels))]
    public void Every_kernel_computes_the_product_and_stays_within_its_matrices(bool aTransposed, bool bTransposed, string kind, int size)
    {
        PtxProgram program = PtxKernel.Compile(Of(aTransposed, bTransposed, kind)[size].Method, ProductKernels.Threads);
        ProductTile tile = ProductTile.All[size];
        ProductCase one = new(tile.Rows + 16, tile.Columns + 5, 112)
        {
            ATransposed = aTransposed,
            BTransposed = bTransposed,
            Operands = TypeOf(kind),
            Precision = PrecisionOf(kind),
            HasBias = true,
            Accumulates = true,
        };
        Check(program, one, new(size, 1, 112), copiesAtOnce: false);
        ProductCase small = one with { Rows = 48, Columns = 17, Result = NumberType.BFloat16, Accumulates = false };
        Check(program, small, new(size, 1, 112), copiesAtOnce: true);
        Check(program, small with { HasBias = false }, new(size, 2, 64), copiesAtOnce: false);
    }

    private static NumberType TypeOf(string kind) => kind == "BFloat16" ? NumberType.BFloat16 : NumberType.Float32;

    private static ProductPrecision PrecisionOf(string kind) => kind == "High" ? ProductPrecision.High : ProductPrecision.Default;

    private static IReadOnlyList<Action<ProductTileArguments>> Of(bool aTransposed, bool bTransposed, string kind) =>
        ProductKernels.Of(TypeOf(kind), PrecisionOf(kind), aTransposed, bTransposed);

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
