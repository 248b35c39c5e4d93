using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>The product of two matrices: C[m, n] = sum over k of A[m, k] B[k, n].</summary>
/// <remarks>
/// Sums run in a fixed order: the same operands give the same bits in every run. A column's bits do not depend on the other columns, but may on how many there
/// are, since that decides how the work is divided.
/// <para>
/// Against cuBLAS on an H200, in TFLOP/s: float32 products of 2048 x 3072 x 768 and of 4096^3 run at 42 and 50 there, without matrix instructions; these
/// at 89 and 105, and at 53 and 55 with High. With TF32 allowed cuBLAS reaches 232 to 360, at an error of 2.5e-4 of the largest entry instead of
/// 4e-6 (High: 5e-7).
/// </para>
/// </remarks>
internal static partial class MatrixProduct
{
    /// <summary>C = A B, plus a bias a row, plus what C holds, as the options say.</summary>
    /// <param name="session">Where it runs; the call returns before the work is done.</param>
    /// <param name="a">[M, K]; in memory [K, M] where transposed.</param>
    /// <param name="b">[K, N]; in memory [N, K] where transposed. Of the same number type.</param>
    /// <param name="c">[M, N]; its rows are M. float32 or bfloat16; must not overlap the operands.</param>
    /// <param name="columns">N, any number up to the pitch of <paramref name="c"/>; columns from there to the next multiple of 16 may be overwritten.</param>
    /// <param name="options">Bias, accumulation, precision, workspace.</param>
    /// <exception cref="ArgumentException">Sizes or types do not fit one another.</exception>
    public static void Multiply(GpuSession session, in Operand a, in Operand b, DeviceMatrix c, int columns, ProductOptions options = default)
    {
        ProductShape shape = ProductShape.Of(a, b, c, columns, options);
        if (shape.Rows == 0 || columns == 0)
        {
            return;
        }

        if (session.IsFast)
        {
            Fast(session, a, b, c, shape, options);
        }
        else
        {
            Plain(session, a, b, c, shape, options);
        }
    }

    /// <summary>Floats of workspace with which products of so many rows and depth, and of at most so many columns, run fastest.</summary>
    public static long WorkspaceLength(GpuSession session, int rows, int columns, int depth) =>
        session.IsFast ? ProductPlan.MostWorkspace(new(rows, columns, depth), session.Accelerator.NumMultiprocessors) : 0;

    /// <summary>The form with matrix instructions.</summary>
    internal static void Fast(GpuSession session, in Operand a, in Operand b, DeviceMatrix c, in ProductShape shape, in ProductOptions options)
    {
        IReadOnlyList<Action<ProductTileArguments>> kernels = ProductKernels.Of(a.Matrix.Type, options.Precision, a.Transposed, b.Transposed);
        int entryBytes = a.Matrix.Type == NumberType.BFloat16 ? 2 : 4;
        ProductPlan plan = ProductPlan.Of(shape, entryBytes, kernels.Count, session.Accelerator.NumMultiprocessors, options.Workspace.Length);
        Divided(session, session.Grouped(kernels[plan.Size], ProductKernels.Threads, plan.Tile.Groups), plan, a, b, c, shape, options);
    }

    /// <summary>The form with matrix instructions, divided in a given way.</summary>
    internal static void Divided(
        GpuSession session, Action<KernelConfig, ProductTileArguments> launch, in ProductPlan plan, in Operand a, in Operand b, DeviceMatrix c, in ProductShape shape, in ProductOptions options)
    {
        bool isWhole = plan.Parts == 1;
        int storedColumns = Padding.Up(shape.Columns, Padding.Rows);
        (int down, int across) = plan.Tile.Over(shape);
        ProductTileArguments arguments = new()
        {
            A = a.Matrix.Data.LoadEffectiveAddressAsPtr(),
            B = b.Matrix.Data.LoadEffectiveAddressAsPtr(),
            C = isWhole ? c.Data.LoadEffectiveAddressAsPtr() : options.Workspace.LoadEffectiveAddressAsPtr(),
            PartBytes = isWhole ? 0 : (long)shape.Rows * storedColumns * sizeof(float),
            Bias = BiasOr(options, c),
            PitchA = a.Matrix.Pitch,
            PitchB = b.Matrix.Pitch,
            PitchC = isWhole ? c.Pitch : storedColumns,
            Rows = shape.Rows,
            Columns = storedColumns,
            LinesB = b.Transposed ? Math.Min(storedColumns, b.Matrix.Rows) : storedColumns,
            Depth = shape.Depth,
            PartDepth = plan.PartDepth,
            TilesDown = down,
            TilesAcross = across,
            HasBias = isWhole && options.Bias.Length > 0 ? 1 : 0,
            Accumulates = isWhole && options.Accumulate ? 1 : 0,
            StoresBFloat16 = isWhole && c.Type == NumberType.BFloat16 ? 1 : 0,
        };
        launch(new KernelConfig(new Index3D(down * across, plan.Parts, 1), new Index3D(ProductKernels.Threads, 1, 1)), arguments);
        if (!isWhole)
        {
            PartialSums.Add(session, plan.Parts, c, shape, options);
        }
    }

    /// <summary>The form that runs on every device: one work item an entry of the result, its sum in the order of k.</summary>
    internal static void Plain(GpuSession session, in Operand a, in Operand b, DeviceMatrix c, in ProductShape shape, in ProductOptions options) =>
        session.Plain<PlainArguments>(PlainKernel)(checked(shape.Rows * shape.Columns), new PlainArguments
        {
            A = new Entries(a.Matrix, a.Transposed),
            B = new Entries(b.Matrix, b.Transposed),
            C = new Entries(c, transposed: false),
            Columns = shape.Columns,
            Depth = shape.Depth,
            Accumulate = options.Accumulate ? 1 : 0,
            HasBias = options.Bias.Length > 0 ? 1 : 0,
            Bias = BiasOr(options, c),
        });

    private static void PlainKernel(Index1D item, PlainArguments p)
    {
        int m = item / p.Columns;
        int n = item - m * p.Columns;
        float sum = p.Accumulate != 0 ? p.C.Read(m, n) : 0f;
        sum += p.HasBias != 0 ? p.Bias[m] : 0f;
        float product = 0f;
        for (int k = 0; k < p.Depth; k++)
        {
            product += p.A.Read(m, k) * p.B.Read(k, n);
        }

        p.C.Write(m, n, sum + product);
    }

    /// <summary>The bias, or some view in its place: kernels take no empty ones.</summary>
    private static ArrayView<float> BiasOr(in ProductOptions options, DeviceMatrix c) => options.Bias.Length > 0 ? options.Bias : c.Data.Cast<float>();

    internal struct PlainArguments
    {
        public Entries A;
        public Entries B;
        public Entries C;
        public ArrayView<float> Bias;
        public int HasBias;
        public int Accumulate;
        public int Columns;
        public int Depth;
    }
}
