using ILGPU;
using ILGPU.Runtime.Cuda;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Benchmarks.Suites;

/// <summary>Kernels that do one thing as fast as the device can.</summary>
internal static partial class CeilingKernels
{
    /// <summary>Multiply-adds of a thread and turn in <see cref="MultiplyAdds"/>.</summary>
    public const int Chains = 16 * Links;

    /// <summary>Matrix instructions of a warp and turn in the kernels of matrix instructions.</summary>
    public const int Tiles = 16;

    private const int Links = 16;
    private const int Sums = 8;

    /// <summary>Moves 64 bytes a thread, each warp 512 at a time.</summary>
    public static void Copy(CopyArguments p)
    {
        int first = (Grid.IdxX * 4 * Group.DimX) + Group.IdxX;
        Float4 a = p.From[first], b = p.From[first + Group.DimX], c = p.From[first + (2 * Group.DimX)], d = p.From[first + (3 * Group.DimX)];
        p.To[first] = a;
        p.To[first + Group.DimX] = b;
        p.To[first + (2 * Group.DimX)] = c;
        p.To[first + (3 * Group.DimX)] = d;
    }

    /// <summary>Multiply-adds in sixteen independent chains.</summary>
    [Unrolled("MultiplyAdds")]
    public static void MultiplyAddsTemplate(RateArguments p)
    {
        float[] sums = new float[16];
        for (int i = Unroll.From(0); i < 16; i++)
        {
            sums[i] = Group.IdxX + i;
        }

        for (int turn = 0; turn < p.Turns; turn++)
        {
            for (int link = Unroll.From(0); link < Links; link++)
            {
                for (int i = Unroll.From(0); i < 16; i++)
                {
                    sums[i] = (sums[i] * p.Factor) + p.Factor;
                }
            }
        }

        float sum = 0;
        for (int i = Unroll.From(0); i < 16; i++)
        {
            sum += sums[i];
        }

        Keep(p, sum);
    }

    /// <summary>Matrix instructions in eight independent chains: of TF32, or of bfloat16.</summary>
    [Unrolled("Tf32Products")]
    [Unrolled("BFloat16Products", "IsBFloat16=true")]
    public static void ProductsTemplate(RateArguments p)
    {
        const bool IsBFloat16 = false;
        CudaAsm.Emit(".reg .b32 a<4>; .reg .b32 b<2>; .reg .f32 sum<32>; mov.b32 a0, %0; mov.b32 a1, %0; mov.b32 a2, %0; mov.b32 a3, %0; mov.b32 b0, %0; mov.b32 b1, %0;", p.Factor);
        for (int i = Unroll.From(0); i < 4 * Sums; i++)
        {
            CudaAsm.Emit($"mov.b32 sum{i}, 0;");
        }

        for (int turn = 0; turn < p.Turns; turn++)
        {
            for (int tile = Unroll.From(0); tile < Tiles; tile++)
            {
                Multiply(IsBFloat16, 4 * (tile % Sums));
            }
        }

        for (int i = Unroll.From(1); i < 4 * Sums; i++)
        {
            CudaAsm.Emit($"add.f32 sum0, sum0, sum{i};");
        }

        CudaAsm.Emit("mov.b32 %0, sum0;", out float sum);
        Keep(p, sum);
    }

    [Inlined]
    private static void Multiply(bool isBFloat16, int sum) => CudaAsm.Emit(
        $"mma.sync.aligned.{(isBFloat16 ? "m16n8k16.row.col.f32.bf16.bf16.f32" : "m16n8k8.row.col.f32.tf32.tf32.f32")} {{sum{sum}, sum{sum + 1}, sum{sum + 2}, sum{sum + 3}}}, "
        + $"{{a0, a1, a2, a3}}, {{b0, b1}}, {{sum{sum}, sum{sum + 1}, sum{sum + 2}, sum{sum + 3}}};");

    // A store that is never made keeps the work from being left out.
    [Inlined]
    private static void Keep(RateArguments p, float sum)
    {
        if (sum == 12345f)
        {
            p.Result[0] = sum;
        }
    }

    internal struct CopyArguments
    {
        public ArrayView<Float4> From;
        public ArrayView<Float4> To;
    }

    internal struct RateArguments
    {
        public ArrayView<float> Result;
        public float Factor;
        public int Turns;
    }
}
