namespace Mamba.Managed.ILGPU.Tests.Emulation;

/// <summary>Instructions that the lanes of a warp carry out together.</summary>
internal sealed partial class PtxWarp
{
    private readonly uint[,] results = new uint[Lanes, 4];

    private void Together(PtxInstruction i)
    {
        switch (i.Parts[0])
        {
            case "mma" when i.Parts[3] == "m16n8k16":
                Multiply(i, pairs: true);
                break;
            case "mma" when i.Parts[3] == "m16n8k8":
                Multiply(i, pairs: false);
                break;
            case "ldmatrix":
                LoadMatrices(i);
                break;
            default:
                throw new NotSupportedException(i.Opcode);
        }
    }

    /// <summary>Lane 8 m + r gives the address of row r of matrix m; lane 4 g + t gets the t-th four bytes of row g of each.</summary>
    private void LoadMatrices(PtxInstruction i)
    {
        for (int lane = 0; lane < Lanes; lane++)
        {
            for (int matrix = 0; matrix < 4; matrix++)
            {
                int address = (int)Address(i.Operands[4], 8 * matrix + lane / 4, isShared: true) + 4 * (lane % 4);
                results[lane, matrix] = BitConverter.ToUInt32(machine.Shared, address);
            }
        }

        KeepResults(i);
    }

    /// <summary>D[16, 8] = A[16, K] B[K, 8] + C with the layout of fragments that NVIDIA's manual gives; K is 16 (pairs of bfloat16) or 8 (TF32).</summary>
    private void Multiply(PtxInstruction i, bool pairs)
    {
        double[,] a = new double[16, 16];
        double[,] b = new double[16, 8];
        for (int lane = 0; lane < Lanes; lane++)
        {
            (int g, int t) = (lane >> 2, lane & 3);
            for (int half = 0; half < (pairs ? 2 : 1); half++)
            {
                for (int k = 0; k < 2; k++)
                {
                    int depth = pairs ? 2 * t + 8 * k + half : t + 4 * k;
                    a[g, depth] = Number(i.Operands[4 + 2 * k], lane, pairs, half);
                    a[g + 8, depth] = Number(i.Operands[5 + 2 * k], lane, pairs, half);
                    b[depth, g] = Number(i.Operands[8 + k], lane, pairs, half);
                }
            }
        }

        for (int lane = 0; lane < Lanes; lane++)
        {
            (int g, int t) = (lane >> 2, lane & 3);
            for (int entry = 0; entry < 4; entry++)
            {
                (int row, int column) = (g + entry / 2 * 8, 2 * t + entry % 2);
                double sum = BitConverter.UInt32BitsToSingle((uint)Value(i.Operands[10 + entry], lane));
                for (int k = 0; k < (pairs ? 16 : 8); k++)
                {
                    sum += a[row, k] * b[k, column];
                }

                results[lane, entry] = BitConverter.SingleToUInt32Bits((float)sum);
            }
        }

        KeepResults(i);
    }

    private void KeepResults(PtxInstruction i)
    {
        for (int lane = 0; lane < Lanes; lane++)
        {
            for (int entry = 0; entry < 4; entry++)
            {
                registers[lane][i.Operands[entry].Slot] = results[lane, entry];
            }
        }
    }

    /// <summary>A half of a pair as bfloat16, or the whole as TF32, whose lowest 13 bits are not looked at.</summary>
    private double Number(PtxOperand operand, int lane, bool pairs, int half)
    {
        uint bits = (uint)Value(operand, lane);
        return BitConverter.UInt32BitsToSingle(!pairs ? bits & 0xFFFFE000 : half == 0 ? bits << 16 : bits & 0xFFFF0000);
    }
}
